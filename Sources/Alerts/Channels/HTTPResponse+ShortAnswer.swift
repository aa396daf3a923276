import CurlHTTP
import Telemetry

extension HTTPResponse {
    /// Status and the beginning of the body, fit for logs and tables.
    var shortAnswer: String {
        let text = Redactor.processWide.sanitize(String(decoding: body.prefix(2000), as: UTF8.self), limit: 200)
        return text.isEmpty ? "status \(status)" : "status \(status): \(text)"
    }
}
