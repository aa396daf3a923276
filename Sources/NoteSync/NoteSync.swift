// NoteSync
