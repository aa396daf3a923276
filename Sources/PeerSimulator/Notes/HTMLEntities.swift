/// Character references of HTML: numbers, and the names of HTML 4. A name that is unknown stays as it is written.
enum HTMLEntities {
    static func decoded(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var text = String.UnicodeScalarView()
        var index = scalars.startIndex
        while index < scalars.endIndex {
            if scalars[index] == "&", let (scalar, end) = reference(scalars, from: index + 1) {
                text.append(scalar)
                index = end
            } else {
                text.append(scalars[index])
                index += 1
            }
        }
        return String(text)
    }

    /// The character that is named from behind the `&` on, and where that ends.
    private static func reference(
        _ scalars: ArraySlice<Unicode.Scalar>,
        from start: Int
    ) -> (Unicode.Scalar, end: Int)? {
        var name = ""
        var end = start
        while end < scalars.endIndex, name.utf8.count < 12, scalars[end] == "#" || isLetterOrDigit(scalars[end]) {
            name.unicodeScalars.append(scalars[end])
            end += 1
        }
        guard end < scalars.endIndex, scalars[end] == ";" else { return nil }
        guard name.hasPrefix("#") else { return names[name].map { ($0, end + 1) } }
        let digits = name.dropFirst()
        let isHex = digits.first == "x" || digits.first == "X"
        guard let number = isHex ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits) else { return nil }
        // As browsers have it, the numbers of C1 mean Windows-1252.
        let scalar = (0x80..<0xA0).contains(number) ? Windows1252.scalar(UInt8(number)) : Unicode.Scalar(number)
        return (scalar.flatMap { $0.value == 0 ? nil : $0 } ?? "\u{FFFD}", end + 1)
    }

    private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
    }

    private static let names: [String: Unicode.Scalar] = {
        var names = others
        for (list, first) in [(latin1, UInt32(0xA0)), (greekCapitals, 0x391), (greek, 0x3B1)] {
            for (offset, name) in list.split(separator: " ").enumerated() where name != "-" {
                names[String(name)] = Unicode.Scalar(first + UInt32(offset))
            }
        }
        return names
    }()

    private static let latin1 = """
        nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr \
        deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest \
        Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml \
        ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig \
        agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml \
        eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml
        """
    private static let greekCapitals = """
        Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho - Sigma Tau Upsilon \
        Phi Chi Psi Omega
        """
    private static let greek = """
        alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigmaf sigma tau \
        upsilon phi chi psi omega
        """
    private static let others: [String: Unicode.Scalar] = [
        "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "AMP": "&", "LT": "<", "GT": ">", "QUOT": "\"",
        "OElig": "Œ", "oelig": "œ", "Scaron": "Š", "scaron": "š", "Yuml": "Ÿ", "fnof": "ƒ", "circ": "ˆ", "tilde": "˜",
        "ensp": "\u{2002}", "emsp": "\u{2003}", "thinsp": "\u{2009}", "zwnj": "\u{200C}", "zwj": "\u{200D}",
        "lrm": "\u{200E}", "rlm": "\u{200F}", "ndash": "–", "mdash": "—", "lsquo": "‘", "rsquo": "’", "sbquo": "‚",
        "ldquo": "“", "rdquo": "”", "bdquo": "„", "dagger": "†", "Dagger": "‡", "bull": "•", "hellip": "…",
        "permil": "‰", "prime": "′", "Prime": "″", "lsaquo": "‹", "rsaquo": "›", "oline": "‾", "frasl": "⁄",
        "euro": "€", "trade": "™", "larr": "←", "uarr": "↑", "rarr": "→", "darr": "↓", "harr": "↔", "lArr": "⇐",
        "rArr": "⇒", "hArr": "⇔", "forall": "∀", "part": "∂", "exist": "∃", "empty": "∅", "isin": "∈", "notin": "∉",
        "sum": "∑", "minus": "−", "radic": "√", "infin": "∞", "cap": "∩", "cup": "∪", "asymp": "≈", "ne": "≠",
        "equiv": "≡", "le": "≤", "ge": "≥", "sub": "⊂", "sup": "⊃", "loz": "◊", "spades": "♠", "clubs": "♣",
        "hearts": "♥", "diams": "♦", "check": "✓", "num": "#", "comma": ",", "period": ".", "colon": ":", "semi": ";",
        "excl": "!", "quest": "?", "lpar": "(", "rpar": ")", "sol": "/", "equals": "=", "plus": "+", "lowbar": "_",
        "commat": "@", "ast": "*", "percnt": "%", "dollar": "$", "NewLine": "\n", "Tab": "\t",
    ]
}
