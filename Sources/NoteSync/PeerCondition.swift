internal import CurlHTTP

/// What a peer shows of itself when it is asked whether it is well.
public enum PeerCondition: Sendable {
    /// It answers. An ingress that does not know the question answers too.
    case well
    /// It says that it is not.
    case ill
    /// It takes the call and does not answer in time: it may be busy, or out of reach.
    case silent
    /// No call gets to it.
    case unreached

    /// What a peer that is not well shows, as the predicate of a sentence.
    var words: String {
        switch self {
        case .well: "says that it is well"
        case .ill: "does not say that it is well"
        case .silent: "does not answer when it is asked whether it is well"
        case .unreached: "can't be reached"
        }
    }

    /// By the answer to a question that any peer can answer.
    init(asking ask: () async throws -> HTTPResponse) async {
        do {
            // 407 is a proxy's alone: the call did not get to the peer.
            let status = try await ask().status
            self = status >= 500 || status == 407 ? .ill : .well
        } catch let error as CurlHTTPError where !error.requestMayHaveBeenSent {
            self = .unreached
        } catch {
            self = .silent
        }
    }
}
