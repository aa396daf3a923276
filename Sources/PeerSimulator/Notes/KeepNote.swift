/// A note as Google Keep holds it.
struct KeepNote: Sendable {
    let id: String
    /// Empty for an untitled note.
    var title: String
    var content: NoteContent
    let created: KeepTimestamp
    var modified: KeepTimestamp
    var labels: [String] = []
    var images: [KeepImage] = []
    var isTrashed = false
    var isArchived = false

    /// Trashed and archived notes are left out of every answer, without a tombstone.
    var isListed: Bool { !isTrashed && !isArchived }
}

/// An image attached to a note.
struct KeepImage: Sendable {
    let id: String
    let filename: String
    /// Why the file cannot be uploaded; nil where it is there.
    var loss: String?
}

/// The text of a note: given, or made up anew at every reading so that 100,000 notes take no memory.
enum NoteContent: Sendable {
    case text(String)
    case synthetic(number: Int, bytes: Int)

    var text: String {
        switch self {
        case .text(let text): text
        case .synthetic(let number, let bytes): SyntheticText.text(number: number, bytes: bytes)
        }
    }
}
