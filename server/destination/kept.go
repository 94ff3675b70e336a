package destination

import (
	"bytes"
	"context"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// keep gives the key that a page was told before its grant (File.Key), "" where
// it cannot have it: the template makes no such key of the file, or something is
// there. The server keeps no state, so whose the random part is nobody knows:
// the page could have been told by somebody else.
func (s *Service) keep(ctx context.Context, d *Destination, v Values, key string) (string, error) {
	if key == "" || !d.Key.Unique() || !d.Key.makes(key, v) {
		return "", nil
	}
	existing, err := s.Objects.Look(ctx, d.Store, d.Bucket, key)
	if err != nil || existing != nil {
		return "", err
	}
	return key, nil
}

// keptOwner is who alone can write a key that keep gave.
func (t Template) keptOwner() Owner {
	if t.PerUser() {
		return OwnerPrincipal
	}
	return OwnerShared
}

var perFilePatterns = map[string]string{
	"uuid": `([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`,
	"ulid": `([0-7][0-9A-HJKMNP-TV-Z]{25})`,
	"date": `([0-9]{4}-[0-9]{2}-[0-9]{2})`,
}

// makes says whether the template makes the key of these values, with other
// random parts and on another day. It reads those off the key and builds it anew.
func (t Template) makes(key string, v Values) bool {
	segments := strings.Split(key, "/")
	if len(segments) != len(t.segments) {
		return false
	}
	var random []byte
	for i, tokens := range t.segments {
		pattern, kinds := "^", []string(nil)
		for _, k := range tokens {
			if p, ok := perFilePatterns[k.kind]; ok {
				pattern += p
				kinds = append(kinds, k.kind)
			} else if k.kind == "" {
				pattern += regexp.QuoteMeta(k.value)
			} else {
				pattern += ".*"
			}
		}
		m := regexp.MustCompile(pattern + "$").FindStringSubmatch(segments[i])
		if m == nil {
			return false
		}
		for j, kind := range kinds {
			switch text := m[j+1]; kind {
			case "uuid":
				id := uuid.MustParse(text)
				random = append(random, id[:]...)
			case "ulid":
				b := readULID(text)
				v.Now = time.UnixMilli(new(big.Int).SetBytes(b[:6]).Int64())
				random = append(random, b[6:]...)
			case "date":
				if day, err := time.Parse(time.DateOnly, text); err == nil && !t.has("ulid") {
					v.Now = day
				}
			}
		}
	}
	v.Random = bytes.NewReader(random)
	built, err := t.Build(v)
	return err == nil && built == key
}

// readULID undoes newULID.
func readULID(text string) (b [16]byte) {
	n := new(big.Int)
	for _, c := range text {
		n.Add(n.Lsh(n, 5), big.NewInt(int64(strings.IndexRune(ulidAlphabet, c))))
	}
	n.FillBytes(b[:])
	return b
}
