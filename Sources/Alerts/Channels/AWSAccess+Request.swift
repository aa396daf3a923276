import CurlHTTP
import Telemetry

extension AWSAccess {
    func signature(for service: String) -> AWSSignature {
        AWSSignature(
            region: region,
            service: service,
            accessKeyID: accessKeyID,
            secretAccessKey: secretAccessKey.value,
            sessionToken: sessionToken?.value
        )
    }
}

extension DeliveryOutcome {
    /// What an answer of Amazon Web Services means: throttling is not always told by its status.
    init(aws response: HTTPResponse) {
        let text = String(decoding: response.body.prefix(4000), as: UTF8.self)
        let isThrottled = ["Throttl", "TooManyRequests", "RequestLimitExceeded"].contains { text.contains($0) }
        if !response.isSuccess, isThrottled {
            self = .retry(reason: response.shortAnswer, wait: response.retryAfter)
        } else {
            self.init(response)
        }
    }
}
