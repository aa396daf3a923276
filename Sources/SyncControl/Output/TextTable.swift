/// A table for people: a title above each column, columns as wide as their contents.
///
/// On a terminal that is too narrow for that, a row takes several lines and texts are wrapped between words. Nothing is
/// cut off: a key or a name in a list is what the next command is given.
struct TextTable {
    struct Column {
        enum Alignment { case left, right }

        var title: String
        var alignment = Alignment.left
        /// Width to which the column may be wrapped, as far as its words allow; nil: never.
        var minimumWidth: Int?
        /// The style of a cell, by its text.
        var style: @Sendable (String) -> Style? = { _ in nil }
    }

    struct Row {
        var cells: [String]
        /// Texts below the row.
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
    /// - Parameters:
    ///   - width: columns there are; nil for no bound. A word that is longer makes a longer line.
    ///   - isColoured: whether titles, cells and remarks have styles.
    func text(width: Int?, isColoured: Bool = false) -> String {
        lines(width: width, isColoured: isColoured).map { $0 + "\n" }.joined()
    }

    /// The same, as it is printed on a stream.
    func text(on stream: StandardStream) -> String { text(width: stream.width, isColoured: stream.isColoured) }

    func lines(width: Int?, isColoured: Bool) -> [String] {
        let folds = folds(in: width)
        let titles = columns.map { _ in isColoured ? Style.bold : nil }
        var lines = self.lines(columns.map(\.title), titles, folds)
        for row in rows {
            let styles = zip(columns, row.cells).map { isColoured ? $0.style($1) : nil }
            lines += self.lines(row.cells, styles, folds)
            for remark in row.remarks {
                let room = width.map { $0 - Self.gap.count }
                let style = isColoured ? Style.ofRemark(remark) : nil
                lines += remark.wrapped(toWidth: room, hanging: Self.gap).map {
                    Self.gap + (style?.applied(to: $0) ?? $0)
                }
            }
        }
        return lines
    }

    // MARK: Layout

    /// Columns that share a line.
    private struct Fold {
        /// Places and widths, from left to right.
        var columns: [(index: Int, width: Int)] = []
        var indent = ""

        var width: Int {
            indent.count + columns.map(\.width).reduce(0, +) + TextTable.gap.count * max(0, columns.count - 1)
        }
    }

    private func folds(in width: Int?) -> [Fold] {
        guard let width else { return [Fold(columns: columns.indices.map { ($0, naturalWidth($0)) })] }
        var folds = [Fold()]
        for index in columns.indices {
            let least = leastWidth(index)
            let last = folds[folds.count - 1]
            if !last.columns.isEmpty, last.width + Self.gap.count + least > width {
                folds.append(Fold(indent: Self.gap))
            }
            folds[folds.count - 1].columns.append((index, least))
        }
        return folds.map { widened($0, to: width) }
    }

    /// Wrapped columns take the room that is left, the first as much as it needs.
    private func widened(_ fold: Fold, to width: Int) -> Fold {
        var fold = fold
        for place in fold.columns.indices {
            let room = max(0, width - fold.width)
            let wanted = naturalWidth(fold.columns[place].index) - fold.columns[place].width
            fold.columns[place].width += min(room, wanted)
        }
        return fold
    }

    private func cells(_ index: Int) -> [String] { [columns[index].title] + rows.map { $0.cells[index] } }

    private func naturalWidth(_ index: Int) -> Int { cells(index).map(\.displayWidth).max() ?? 0 }

    private func leastWidth(_ index: Int) -> Int {
        guard let minimum = columns[index].minimumWidth else { return naturalWidth(index) }
        let longestWord = cells(index).flatMap(\.unbrokenParts).map(\.displayWidth).max() ?? 0
        return min(naturalWidth(index), max(minimum, longestWord))
    }

    /// The lines of a row; one that would be empty is left out.
    private func lines(_ cells: [String], _ styles: [Style?], _ folds: [Fold]) -> [String] {
        folds.enumerated().flatMap { place, fold in
            let wrapped = fold.columns.map { cells[$0.index].wrapped(toWidth: $0.width) }
            let lines = (0..<(wrapped.map(\.count).max() ?? 0)).map { line in
                let parts = fold.columns.indices.map { column in
                    let index = fold.columns[column].index
                    let text = line < wrapped[column].count ? wrapped[column][line] : ""
                    let blanks = text.blanks(toWidth: fold.columns[column].width)
                    let styled = styles[index]?.applied(to: text) ?? text
                    return columns[index].alignment == .left ? styled + blanks : blanks + styled
                }
                return (fold.indent + parts.joined(separator: Self.gap)).withoutTrailingSpaces
            }
            return place > 0 ? lines.filter { !$0.isEmpty } : lines
        }
    }
}

extension String {
    fileprivate var withoutTrailingSpaces: String {
        String(prefix(upTo: lastIndex { $0 != " " }.map { index(after: $0) } ?? startIndex))
    }
}
