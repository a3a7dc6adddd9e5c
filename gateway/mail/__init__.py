"""The mail block's engine: connections of POP3, IMAP and SMTP clients, and what they say before they are logged in."""
