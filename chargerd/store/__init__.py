"""Store: what is kept on disk, and how it is kept whole: the append-only log, snapshots of the state, ended sessions."""
