// JobQueueTests
