package import Hummingbird
package import Logging
package import Postgres

/// Routes that a program answers beside those of this module.
package struct RouteAddition: Sendable {
    /// The paths, each with its methods. They are answered however many requests are under way: whoever calls them
    /// takes an error for a failure, and a slow answer for what it is.
    let routes: [APIRoute]
    /// An OpenAPI document of these routes alone; its members are merged into the module's own.
    let openAPI: [UInt8]
    /// Adds them to a router. The pool is theirs alone, so that no reader can keep it from them.
    let add: @Sendable (Router<APIContext>, StatusSource, PostgresPool, Logger) -> Void

    package init(
        routes: [APIRoute],
        openAPI: [UInt8],
        add: @escaping @Sendable (Router<APIContext>, StatusSource, PostgresPool, Logger) -> Void
    ) {
        self.routes = routes
        self.openAPI = openAPI
        self.add = add
    }
}
