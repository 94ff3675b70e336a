package destination

import "testing"

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "0B": 0, "1": 1, "1B": 1, "50MiB": 50 << 20, "1.5GiB": 3 << 29, "2 kB": 2000, "3MB": 3e6, "1GB": 1e9, "5TiB": 5 << 40} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "B", "-1B", "1.5B", "1e3", "0x10", "1 XB", "NaN", "inf", "9999999TiB", "1..2"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d", text, got)
		}
	}
	for text, want := range map[string][2]int64{"1B..50MiB": {1, 50 << 20}, "0..50TB": {0, 50e12}, "5MiB .. 5MiB": {5 << 20, 5 << 20}} {
		if from, to, err := ParseSizeRange(text); err != nil || from != want[0] || to != want[1] {
			t.Errorf("ParseSizeRange(%q) = %d, %d, %v", text, from, to, err)
		}
	}
	for _, text := range []string{"", "5MiB", "2B..1B", "..", "1B..", "1B..54TB", "1B-2B"} {
		if _, _, err := ParseSizeRange(text); err == nil {
			t.Errorf("ParseSizeRange(%q) takes it", text)
		}
	}
}

func TestTypeGlobs(t *testing.T) {
	for _, glob := range []string{"*/*", "image/*", "image/svg+xml", "application/vnd.ms-excel"} {
		if err := CheckTypeGlob(glob); err != nil {
			t.Error(err)
		}
	}
	for _, glob := range []string{"", "*", "image", "image/", "/png", "image/p*", "im*/png", "*/png", "Image/PNG", "image/png; q=1", "a/b/c", "**/*", "image/**"} {
		if CheckTypeGlob(glob) == nil {
			t.Errorf("CheckTypeGlob(%q) takes it", glob)
		}
	}
	for _, c := range []struct {
		glob, mediaType string
		want            bool
	}{
		{"image/*", "image/png", true}, {"image/*", "IMAGE/png;x=y", true}, {"image/*", "imagex/png", false}, {"image/png", "image/pngx", false},
		{"*/*", "x/y", true}, {"*/*", "junk;;", false}, {"text/plain", "text/plain; charset=utf-8", true},
	} {
		d := Destination{ContentTypes: []string{c.glob}}
		if got := d.AcceptsType(c.mediaType); got != c.want {
			t.Errorf("%s takes %q: %v", c.glob, c.mediaType, got)
		}
	}
}
