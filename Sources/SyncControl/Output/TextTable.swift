/// A table for people: a title above each column, columns as wide as their contents, cut to the width of the terminal.
struct TextTable {
    struct Column {
        enum Alignment { case left, right }

        var title: String
        var alignment = Alignment.left
        /// Width to which the column may be cut; nil: never.
        var minimumWidth: Int?
    }

    struct Row {
        var cells: [String]
        /// Lines below the row.
        var remarks: [String]
    }

    private static let gap = "  "

    let columns: [Column]
    private(set) var rows: [Row] = []

    init(_ columns: [Column]) {
        self.columns = columns
    }

    mutating func add(_ cells: String..., remark: String?...) {
        add(cells, remarks: remark)
    }

    mutating func add(_ cells: [String], remarks: [String?] = []) {
        precondition(cells.count == columns.count, "a cell for each column")
        rows.append(Row(cells: cells.map(\.singleLine), remarks: remarks.compactMap { $0?.singleLine }))
    }

    /// The table with a line end after every line.
    ///
    /// - Parameter width: columns there are; nil for no bound.
    func text(width: Int?) -> String {
        let widths = columnWidths(in: width)
        var lines = [line(columns.map(\.title), widths)]
        for row in rows {
            lines.append(line(row.cells, widths))
            for remark in row.remarks {
                let text = "  \(remark)"
                lines.append(width.map(text.truncated(toWidth:)) ?? text)
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func columnWidths(in width: Int?) -> [Int] {
        var widths = columns.indices.map { index in
            rows.map { $0.cells[index].displayWidth }.reduce(columns[index].title.displayWidth, max)
        }
        guard let width else { return widths }
        let room = width - Self.gap.count * (columns.count - 1)
        // The widest gives way first, a column of the terminal at a time: tables are small.
        while widths.reduce(0, +) > room {
            let candidates = columns.indices.filter { index in
                columns[index].minimumWidth.map { widths[index] > $0 } ?? false
            }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
        }
        return widths
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let fitted = columns.indices.map { index in
            let cell = cells[index].truncated(toWidth: widths[index])
            let blanks = cell.blanks(toWidth: widths[index])
            return columns[index].alignment == .left ? cell + blanks : blanks + cell
        }
        let line = fitted.joined(separator: Self.gap)
        return String(line.prefix(upTo: line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex))
    }
}
