"""What the phone gives an app, each part behind a small class of ours: Keychain, haptics, network, Face ID, links."""
