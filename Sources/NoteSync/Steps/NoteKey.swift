/// A note's id in sixteen bytes: a million of them take the room of a few megabytes, whatever their length.
///
/// Of the bytes of the id, as the tables compare them. Two texts that Swift calls equal, `é` in one scalar and in two,
/// are two notes.
struct NoteKey: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    init(_ id: String) {
        let digest = ContentHash.sha256(Array(id.utf8))
        high = digest[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = digest[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
