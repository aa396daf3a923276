/// Which of some words a mistyped one may have been meant for.
enum Likeness {
    /// Whether two words are not far from each other: one begins with the other, or a third of the letters, two at
    /// most, differ.
    static func isLike(_ word: some StringProtocol, _ other: some StringProtocol) -> Bool {
        let isPart = min(word.count, other.count) >= 3 && (other.hasPrefix(word) || word.hasPrefix(other))
        return isPart || distance(word, other) <= min(2, max(word.count, other.count) / 3)
    }

    /// ` Did you mean: failed?`; empty where no word is like it.
    static func question(_ word: String, among words: [String]) -> String {
        let like = words.filter { isLike(word.lowercased(), $0) }
        return like.isEmpty ? "" : " Did you mean: \(like.joined(separator: ", "))?"
    }

    /// Letters to be put in, taken out, changed or changed with the next to make one word of the other.
    ///
    /// Source: the optimal string alignment distance.
    static func distance(_ one: some StringProtocol, _ other: some StringProtocol) -> Int {
        let (one, other) = (Array(one), Array(other))
        var rows = [Array(0...other.count)]
        for (line, letter) in one.enumerated() {
            var row = [line + 1]
            for (column, match) in other.enumerated() {
                var least = min(
                    rows[line][column] + (letter == match ? 0 : 1),
                    rows[line][column + 1] + 1,
                    row[column] + 1
                )
                if line > 0, column > 0, letter == other[column - 1], one[line - 1] == match {
                    least = min(least, rows[line - 1][column - 1] + 1)
                }
                row.append(least)
            }
            rows.append(row)
        }
        return rows[one.count][other.count]
    }
}
