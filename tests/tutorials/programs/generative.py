"""Two networks against each other, and one that puts points into words of two numbers."""

# %%
import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.set_default_dtype(torch.float64)
torch.manual_seed(9)
real = torch.randn(48, 2) @ torch.tensor([[1.0, 0.3], [0.0, 0.5]]) + torch.tensor([2.0, -1.0])
loader = DataLoader(TensorDataset(real), batch_size=16, shuffle=True, drop_last=True)
print(real.mean(0), real.std(0))


# %%
def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Linear") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.2)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Generator(nn.Module):
    def __init__(self):
        super(Generator, self).__init__()
        self.main = nn.Sequential(
            nn.Linear(3, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(True), nn.Linear(8, 2)
        )

    def forward(self, input):
        return self.main(input)


netG = Generator()
netG.apply(weights_init)
netD = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2, inplace=True), nn.Linear(8, 1), nn.Sigmoid())
netD.apply(weights_init)
print(netG, netD)

# %%
criterion = nn.BCELoss()
fixed_noise = torch.randn(4, 3)
optimizerD = optim.Adam(netD.parameters(), lr=0.02, betas=(0.5, 0.999))
optimizerG = optim.Adam(netG.parameters(), lr=0.02, betas=(0.5, 0.999))

# %%
G_losses, D_losses = [], []
for epoch in range(3):
    for i, (batch,) in enumerate(loader):
        netD.zero_grad()
        label = torch.full((batch.size(0),), 1.0)
        output = netD(batch).view(-1)
        errD_real = criterion(output, label)
        errD_real.backward()
        D_x = output.mean().item()
        fake = netG(torch.randn(batch.size(0), 3))
        label.fill_(0.0)
        output = netD(fake.detach()).view(-1)
        errD_fake = criterion(output, label)
        errD_fake.backward()
        errD = errD_real + errD_fake
        optimizerD.step()

        netG.zero_grad()
        label.fill_(1.0)
        output = netD(fake).view(-1)
        errG = criterion(output, label)
        errG.backward()
        optimizerG.step()
        G_losses.append(errG.item())
        D_losses.append(errD.item())
    print("[%d/%d]\tLoss_D: %.4f\tLoss_G: %.4f\tD(x): %.4f" % (epoch, 3, errD, errG, D_x))
with torch.no_grad():
    print(netG(fixed_noise).detach().cpu())

# %% the penalty of a critic's slope
for p in netD.parameters():
    p.requires_grad_(True)
mix = torch.rand(16, 1)
between = (mix * real[:16] + (1 - mix) * fake.detach()).requires_grad_(True)
score = netD(between)
gradients = torch.autograd.grad(
    outputs=score, inputs=between, grad_outputs=torch.ones_like(score),
    create_graph=True, retain_graph=True, only_inputs=True,
)[0]
penalty = ((gradients.norm(2, dim=1) - 1) ** 2).mean()
netD.zero_grad()
penalty.backward()
print(penalty.item(), netD[0].weight.grad.abs().sum())


# %%
class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 6)
        self.fc21 = nn.Linear(6, 2)
        self.fc22 = nn.Linear(6, 2)
        self.fc3 = nn.Linear(2, 6)
        self.fc4 = nn.Linear(6, 8)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 8))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 8), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


model = VAE()
optimizer = optim.Adam(model.parameters(), lr=1e-2)
pixels = (torch.rand(40, 2, 4) > 0.5).to(torch.get_default_dtype())
for epoch in range(4):
    train_loss = 0
    for (data,) in DataLoader(TensorDataset(pixels), batch_size=20, shuffle=True):
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
    print("====> Epoch: {} Average loss: {:.4f}".format(epoch, train_loss / len(pixels)))

# %% a picture that fools a network
classifier = nn.Sequential(nn.Flatten(), nn.Linear(8, 3))
image, target = pixels[:1].clone(), torch.tensor([1])
image.requires_grad = True
loss = F.nll_loss(F.log_softmax(classifier(image), dim=1), target)
classifier.zero_grad()
loss.backward()
perturbed = torch.clamp(image + 0.3 * image.grad.data.sign(), 0, 1)
before, after = classifier(image)[0, 1], classifier(perturbed)[0, 1]
print(perturbed, before.item() > after.item(), classifier(perturbed).max(1, keepdim=True)[1])

# %%
torch.set_default_dtype(torch.float32)
