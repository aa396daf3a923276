/// Made-up notes, the same for the same seed.
struct SyntheticNotes: Sendable {
    let count: Int
    /// Bytes of text per note.
    let noteBytes: Int
    let seed: UInt64

    private static let labels = ["work", "home", "ideas", "reading", "travel", "garden", "music", "money"]
    /// 2024-01-01T00:00:00.
    private static let start: Int64 = 1_704_067_200_000_000

    /// All of them: one in 25 untitled, one in 20 with an image, one in 100 with a lost one.
    func notes() -> [KeepNote] {
        var random = SplitMix64(seed: seed)
        return (1...max(count, 1)).prefix(count).map { note(number: $0, random: &random) }
    }

    private func note(number: Int, random: inout SplitMix64) -> KeepNote {
        let id = String(number, radix: 16)
        let created = Self.start + Int64(number) * 60_000_000
        // Every eighth falls on a whole second, whose text has no fraction.
        let fraction = number.isMultiple(of: 8) ? 0 : Int64.random(in: 1..<1_000_000, using: &random)
        var images: [KeepImage] = []
        if number.isMultiple(of: 20) {
            images.append(KeepImage(id: "img-\(id)-1", filename: "photo-\(number).jpg", loss: nil))
        }
        if number.isMultiple(of: 100) {
            images.append(
                KeepImage(id: "img-\(id)-2", filename: "lost-\(number).jpg", loss: "Failed to download image")
            )
        }
        let labelCount = Int.random(in: 0...2, using: &random)
        return KeepNote(
            id: "synthetic.\(String(repeating: "0", count: max(0, 8 - id.count)))\(id)",
            title: number.isMultiple(of: 25) ? "" : "Synthetic note \(number)",
            content: .synthetic(number: number, bytes: noteBytes),
            created: KeepTimestamp(microseconds: created),
            modified: KeepTimestamp(microseconds: created + 30_000_000 + fraction),
            labels: Array(Self.labels.shuffled(using: &random).prefix(labelCount)),
            images: images
        )
    }
}

/// Made-up prose.
enum SyntheticText {
    private static let words = [
        "the", "meeting", "was", "moved", "to", "Thursday", "because", "nobody", "had", "read", "draft", "and",
        "kitchen",
        "light", "still", "flickers", "when", "kettle", "boils", "remember", "asking", "about", "blue", "bicycle",
        "before",
        "summer", "garden", "needs", "water", "every", "second", "morning", "café", "naïve", "Grüße", "list", "ideas",
        "for",
    ]

    private static let sentences: [String] = {
        var random = SplitMix64(seed: 42)
        return (0..<256).map { index in
            let length = Int.random(in: 5...16, using: &random)
            let sentence = (0..<length).map { _ in words[Int.random(in: 0..<words.count, using: &random)] }
                .joined(separator: " ")
            return sentence + (index.isMultiple(of: 6) ? ".\n" : ". ")
        }
    }()

    /// At least `bytes` bytes of text, and less than a sentence more.
    static func text(number: Int, bytes: Int) -> String {
        var text = ""
        text.reserveCapacity(bytes + 128)
        var random = SplitMix64(seed: UInt64(truncatingIfNeeded: number))
        while text.utf8.count < bytes { text += sentences[Int(random.next() & 255)] }
        return text
    }
}
