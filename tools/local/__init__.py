"""The local platform: the real template on an emulator, with the neighbours' sandbox beside it."""
