extension String {
    /// The text with its bidirectional controls (U+202E and its like) written as `\u{202e}`, as people are to read it.
    ///
    /// They are invisible and change the order in which everything after them is shown: an id or a message from outside
    /// could pass for another one. Source: Unicode Standard Annex #9, property Bidi_Control.
    package var withVisibleBidirectionalControls: String {
        replacingBidirectionalControls { "\\u{\(String($0.value, radix: 16))}" }
    }

    /// A JSON text with its bidirectional controls written as `\u202e`, which stands for the same.
    package var withBidirectionalControlsAsJSONEscapes: String {
        // Each has four hexadecimal digits, or three and a zero.
        replacingBidirectionalControls { "\\u" + ($0.value < 0x1000 ? "0" : "") + String($0.value, radix: 16) }
    }

    private func replacingBidirectionalControls(_ form: (Unicode.Scalar) -> String) -> String {
        guard unicodeScalars.contains(where: \.isBidirectionalControl) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            if scalar.isBidirectionalControl {
                result += form(scalar)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension Unicode.Scalar {
    /// Whether it is one of the invisible characters that change the order of a text.
    package var isBidirectionalControl: Bool {
        // Nearly all text ends here.
        value >= 0x061C && properties.isBidiControl
    }
}
