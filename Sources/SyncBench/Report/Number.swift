import Foundation

/// A number for people: three significant digits, thousands apart.
func format(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    let magnitude = abs(value)
    if magnitude >= 1000 {
        let digits = String(Int(value.rounded()))
        return digits.count > 4 ? grouped(digits) : digits
    }
    if magnitude >= 100 { return String(format: "%.0f", value) }
    if magnitude >= 10 { return String(format: "%.1f", value) }
    return String(format: "%.2f", value)
}

private func grouped(_ digits: String) -> String {
    var text = ""
    for (position, digit) in digits.reversed().enumerated() {
        if position > 0, position.isMultiple(of: 3), digit != "-" { text.append("\u{202F}") }
        text.append(digit)
    }
    return String(text.reversed())
}

extension Duration {
    /// The duration in seconds.
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
    /// The duration in microseconds.
    var inMicroseconds: Double { inSeconds * 1e6 }
}
