"""The accompanist: from what is heard and the beat to the notes of the coming sixteenths."""
