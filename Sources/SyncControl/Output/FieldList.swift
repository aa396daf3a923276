/// A sentence and named values below it, for people.
struct FieldList {
    /// Columns of the names.
    let indent: Int
    private var fields: [(name: String, value: String, isWrapped: Bool)] = []

    init(indent: Int) {
        self.indent = indent
    }

    mutating func add(_ name: String, _ value: String, isWrapped: Bool = true) {
        fields.append((name, value.singleLine, isWrapped))
    }

    /// All of it, with a line end after every line.
    ///
    /// - Parameter width: columns there are; nil for no bound.
    func text(below sentence: String, width: Int?) -> String {
        var lines = sentence.singleLine.wrapped(toWidth: width) + (fields.isEmpty ? [] : [""])
        for (name, value, isWrapped) in fields {
            let parts = isWrapped ? value.wrapped(toWidth: width.map { max(20, $0 - indent) }) : [value]
            for (place, part) in parts.enumerated() {
                let label = place == 0 ? name : ""
                lines.append(label + label.blanks(toWidth: indent) + part)
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }
}
