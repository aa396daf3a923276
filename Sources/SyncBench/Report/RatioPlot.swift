import Foundation

/// The ratios of all figures as bars, with their goals as ticks, on a logarithmic axis: a vector graphic.
struct RatioPlot {
    private let figures: [Figure]
    private let caption: String

    init(_ report: BenchReport) {
        figures = report.ordered.flatMap(\.figures).filter { !$0.limits.isEmpty && $0.ratioToLimit.isFinite }
        caption = report.ordered.first.map { "\($0.machine.processor), \($0.machine.cores) cores" } ?? ""
    }

    private static let left = 330.0
    private static let width = 420.0
    private static let row = 20.0
    private static let top = 46.0
    /// The axis, in powers of ten.
    private static let decades = -2.0...1.0

    var svg: String {
        let height = Self.top + Double(figures.count) * Self.row + 30
        var parts = [
            #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 \#(Int(height))" font-family="sans-serif" "#
                + #"font-size="11"><rect width="100%" height="100%" fill="white"/>"#,
            #"<text x="10" y="18" font-size="14">Measured beside its limit, as a ratio</text>"#,
            #"<text x="10" y="34" fill="gray">\#(Self.escaped(caption)); the black tick is the goal</text>"#,
        ]
        for value in [0.01, 0.1, 1.0, 10.0] { parts.append(gridLine(value, height: height)) }
        for (index, figure) in figures.enumerated() { parts.append(bar(figure, index)) }
        return parts.joined(separator: "\n") + "\n</svg>\n"
    }

    private func gridLine(_ value: Double, height: Double) -> String {
        let x = Self.position(value)
        return #"<line x1="\#(x)" x2="\#(x)" y1="\#(Self.top - 4)" y2="\#(height - 22)" stroke="silver"/>"#
            + #"<text x="\#(x)" y="\#(height - 8)" text-anchor="middle" fill="gray">\#(value.formatted())</text>"#
    }

    private func bar(_ figure: Figure, _ index: Int) -> String {
        let y = Self.top + Double(index) * Self.row
        let end = Self.position(figure.ratioToLimit)
        let color = figure.isReached.map { $0 ? "#2f855a" : "#c05621" } ?? "#718096"
        var text = #"<text x="\#(Self.left - 8)" y="\#(y + 12)" text-anchor="end">\#(Self.escaped(figure.name))</text>"#
        text +=
            #"<rect x="\#(Self.left)" y="\#(y + 2)" width="\#(max(end - Self.left, 1))" height="13" fill="\#(color)"/>"#
        // Behind the tick too, or the one would hide the other.
        let goal = figure.goal?.atLeast ?? figure.goal?.atMost
        let labelled = max(end, goal.map(Self.position) ?? 0) + 8
        text += #"<text x="\#(labelled)" y="\#(y + 12)">\#(format(figure.ratioToLimit))</text>"#
        if let goal {
            let x = Self.position(goal)
            text += #"<line x1="\#(x)" x2="\#(x)" y1="\#(y)" y2="\#(y + 17)" stroke="black" stroke-width="2"/>"#
        }
        return text
    }

    private static func position(_ ratio: Double) -> Double {
        let power = min(max(log10(ratio), decades.lowerBound), decades.upperBound)
        let share = (power - decades.lowerBound) / (decades.upperBound - decades.lowerBound)
        return ((left + share * width) * 10).rounded() / 10
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}

extension Figure {
    /// To its first limit; NaN if it has none.
    var ratioToLimit: Double { limits.first.map(ratio(to:)) ?? .nan }
}
