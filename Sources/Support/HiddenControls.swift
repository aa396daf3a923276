extension String {
    /// The text with its hidden controls (U+202E and its like) written as `\u{202e}`, as people are to read it.
    ///
    /// Bidirectional ones are invisible and change the order in which everything after them is shown: an id or a
    /// message from outside could pass for another one. Those from U+0080 to U+009F command some terminals, and
    /// U+2028 and U+2029 end a line. Source: Unicode Standard Annex #9, property Bidi_Control; ECMA-48.
    package var withVisibleControls: String {
        replacingHiddenControls { "\\u{\(String($0.value, radix: 16))}" }
    }

    /// A JSON text with its hidden controls written as `\u202e`, which stands for the same.
    package var withHiddenControlsAsJSONEscapes: String {
        replacingHiddenControls { scalar in
            let digits = String(scalar.value, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
    }

    private func replacingHiddenControls(_ form: (Unicode.Scalar) -> String) -> String {
        guard unicodeScalars.contains(where: \.isHiddenControl) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            if scalar.isHiddenControl {
                result += form(scalar)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension Unicode.Scalar {
    /// Whether it is a control beyond ASCII: one that changes the order of a text, ends a line or commands a terminal.
    package var isHiddenControl: Bool {
        // Nearly all text ends here.
        value >= 0x80
            && (value <= 0x9F || value >= 0x061C && (value == 0x2028 || value == 0x2029 || properties.isBidiControl))
    }
}
