"""The plots of DVC: their page without the internet, and their pictures."""
