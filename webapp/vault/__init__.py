"""The vault: provider keys at rest. keyring.py knows cryptography and no tenants; byok.py knows rows and no ciphers."""
