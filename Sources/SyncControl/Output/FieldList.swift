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
    /// - Parameters:
    ///   - width: columns there are; nil for no bound.
    ///   - isColoured: whether the sentence and the names have styles.
    func text(below sentence: String, width: Int?, isColoured: Bool = false) -> String {
        let head = sentence.singleLine.wrapped(toWidth: width)
        var lines = (isColoured ? head.map(Style.bold.applied) : head) + (fields.isEmpty ? [] : [""])
        for (name, value, isWrapped) in fields {
            let parts = isWrapped ? value.wrapped(toWidth: width.map { max(20, $0 - indent) }) : [value]
            for (place, part) in parts.enumerated() {
                let label = place == 0 ? name : ""
                let shown = isColoured ? Style.dim.applied(to: label) : label
                lines.append(shown + label.blanks(toWidth: indent) + part)
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }
}
