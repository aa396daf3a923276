@testable import NoteSync

extension ContentHasher {
    /// One of a fixed key.
    static let test = ContentHasher(key: Array("a key for tests".utf8))
}
