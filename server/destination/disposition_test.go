package destination

import "testing"

func TestContentDispositions(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		"inline":                                "inline",
		`attachment; filename="fixed.pdf"`:      `attachment; filename="fixed.pdf"`,
		`attachment; filename="{filename}"`:     `attachment; filename="a _b_ _.txt"; filename*=UTF-8''a%20%22b%22%20%C3%A9.txt`,
		`inline;filename={filename}`:            `inline; filename="a _b_ _.txt"; filename*=UTF-8''a%20%22b%22%20%C3%A9.txt`,
		`attachment; filename="{filename}.bak"`: "refused",
		`attachment; filename="{user}"`:         "refused",
		`{filename}`:                            "refused",
		`attachment; name="{filename}"`:         "refused",
		`attachment; filename="{filename}"; x`:  "refused",
		`attachment; filename="{filename`:       "refused",
	} {
		if !CheckDisposition(text) {
			if want != "refused" {
				t.Errorf("%s is refused", text)
			}
			continue
		}
		if got := (ObjectSettings{ContentDisposition: text}).of("a \"b\" é.txt").ContentDisposition; got != want {
			t.Errorf("%s: %s; want %s", text, got, want)
		}
	}
}
