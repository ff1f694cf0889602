"""The songs that covers are measured on, rung by rung, as they sound and as they are known."""
