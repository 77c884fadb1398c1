"""Which check was seen red, in which form, by which sabotage; forms and contents to tell by."""
