package journal

import (
	"context"
	"strconv"
	"testing"

	"github.com/hack-pad/hackpadfs/indexeddb"
)

// In a browser every test runs on IndexedDB too:
//
//	GOOS=js GOARCH=wasm go test -exec wasmbrowsertest ./wasm/journal
func init() {
	n := 0
	stores["indexeddb"] = func(t testing.TB) FS {
		n++
		fs, err := indexeddb.NewFS(context.Background(), "journal-test-"+strconv.Itoa(n), indexeddb.Options{})
		if err == nil {
			err = fs.Clear(context.Background())
		}
		if err != nil {
			t.Fatal(err)
		}
		return fs
	}
}
