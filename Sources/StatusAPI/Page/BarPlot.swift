/// A small plot of the last 60 minutes, a bar for each.
struct BarPlot: Sendable {
    /// One value a minute, the oldest first.
    let values: [Int]
    let title: String
    let style: String

    private static let height = 40
    private static let step = 4

    var html: HTML {
        let highest = values.max() ?? 0
        let total = values.reduce(0, +)
        let bars = values.enumerated().filter { $0.element > 0 }.map { index, value -> HTML in
            // What happened at all is to be seen.
            let height = max(1, value * Self.height / max(highest, 1))
            return """
                <rect x="\(index * Self.step)" y="\(Self.height - height)" width="3" height="\(height)">\
                <title>\(value), \(values.count - 1 - index) min ago</title></rect>
                """
        }
        return """
            <figure><figcaption>\(title): <strong>\(total)</strong> <small>at most \(highest) a minute</small></figcaption>
            <svg class="\(style)" viewBox="0 0 \(values.count * Self.step) \(Self.height)" preserveAspectRatio="none" \
            role="img" aria-label="\(title) in each of the last 60 minutes: \(total) in all, at most \(highest) a minute">\
            \(bars.joined())</svg></figure>
            """
    }
}
