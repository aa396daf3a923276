// NoteSyncTests
