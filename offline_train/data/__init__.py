"""From pieces to what a training reads: shards, recordings, teachers, datasets."""
