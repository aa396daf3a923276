import HTTPTypes
import Hummingbird
import NIOCore
import Support

/// HTML whose interpolated values are escaped: the safe spelling is the short one.
struct HTML: ExpressibleByStringInterpolation, Sendable {
    var text: String

    init(stringLiteral value: String) {
        text = value
    }

    init(stringInterpolation: StringInterpolation) {
        text = stringInterpolation.text
    }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + interpolationCount * 16)
        }

        mutating func appendLiteral(_ literal: String) {
            text += literal
        }

        mutating func appendInterpolation(_ value: String) {
            text += HTML.escaped(value)
        }

        mutating func appendInterpolation(_ value: Int) {
            text += String(value)
        }

        mutating func appendInterpolation(_ html: HTML) {
            text += html.text
        }
    }

    /// Text safe in elements and in quoted attributes, with bidirectional controls made visible.
    private static func escaped(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.withVisibleControls.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension [HTML] {
    /// The pieces, one after the other.
    func joined() -> HTML {
        HTML(stringLiteral: map(\.text).joined(separator: "\n"))
    }
}

extension HTML {
    /// A whole page with its style and script, which keep it fresh; without scripts it reloads itself.
    static func document(title: String, _ main: HTML) -> HTML {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>\(title)</title>
        <link rel="icon" href="data:,">
        <link rel="stylesheet" href="/assets/page.css">
        <script src="/assets/page.js" defer></script>
        <noscript><meta http-equiv="refresh" content="10"></noscript>
        </head>
        <body>
        <p id="stale" class="notice" role="status" hidden></p>
        <main id="main">
        \(main)
        </main>
        </body>
        </html>

        """
    }

    /// An answer with the page. Nothing from elsewhere, nothing inline, in nobody's frame.
    func response(_ status: HTTPResponse.Status = .ok) -> Response {
        var response = Response(status, "text/html; charset=utf-8", ByteBuffer(string: text))
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return response
    }
}
