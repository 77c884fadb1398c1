"""Secrets as people write them down, one of each form, and words that are none."""

from __future__ import annotations

# By who issues them, in parts, so that nobody takes this file for a leak.
ISSUED = {
    "Anthropic": ("sk-", "ant-api03-" + "b" * 24),
    "OpenAI": ("sk-", "proj-" + "c" * 40),
    "GitHub": ("gh", "p_" + "a" * 36),
    "GitHub, fine-grained": ("github", "_pat_" + "A1b2" * 20),
    "GitLab": ("gl", "pat-" + "d" * 20),
    "GitLab, a runner": ("gl", "rt-" + "d" * 20),
    "Slack": ("xo", "xb-1234567890-" + "e" * 24),
    "Slack, an app": ("xa", "pp-1-A0123456789-1234567890-" + "f" * 32),
    "npm": ("np", "m_" + "a1B2" * 9),
    "PyPI": ("py", "pi-AgEIcHlwaS5vcmc" + "g" * 60),
    "RubyGems": ("ruby", "gems_" + "0a" * 24),
    "Docker Hub": ("dckr", "_pat_" + "h" * 27),
    "AWS": ("AK", "IA" + "ABCDEFGH12345678"),
    "Google, a key": ("AI", "za" + "S" * 35),
    "Google, a token": ("ya", "29.a0" + "k" * 60),
    "Google, a client": ("GOC", "SPX-" + "l" * 28),
    "Hugging Face": ("hf", "_" + "m" * 34),
    "Vault": ("hv", "s." + "n" * 95),
    "DigitalOcean": ("dop", "_v1_" + "0f" * 32),
    "Grafana": ("gl", "sa_" + "p" * 32 + "_0123abcd"),
    "Stripe": ("sk", "_live_" + "q" * 24),
    "SendGrid": ("S", "G." + "r" * 22 + "." + "s" * 43),
    "Tailscale": ("ts", "key-auth-" + "t" * 24),
    "Sentry": ("sntr", "ys_" + "u" * 60),
    "Atlassian": ("ATA", "TT3" + "v" * 60),
    "age": ("AGE-SECRET-", "KEY-1" + "Q" * 58),
    "a JSON web token": ("ey", "JhbGciOiJIUzI1NiJ9.ey" + "J" + "w" * 20 + "." + "x" * 43),
    "a private key": ("-----BEGIN OPENSSH ", "PRIVATE KEY-----"),
    "a password": ("DB_PASS", "WORD=" + "y" * 12),
    "an address with a password": ("https://user:", "z" * 12 + "@example.org/x"),
}
PLAIN = "# the token is in the keychain; sk-learn and npm are on PATH, https://example.org/x says how\n"
