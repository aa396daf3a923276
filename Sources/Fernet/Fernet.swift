// Fernet
