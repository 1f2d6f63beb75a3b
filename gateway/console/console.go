// Package console holds the page people see in a browser. It is plain HTML, CSS and one script, embedded, fetches
// nothing from elsewhere, and reads the same API as everybody.
package console

import (
	"embed"
	"io/fs"
)

//go:embed page
var files embed.FS

// Page returns the page's files, index.html at the root.
func Page() fs.FS {
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return page
}
