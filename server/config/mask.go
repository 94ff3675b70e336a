package config

import (
	"regexp"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Secrets have no place in the file, and people write them into it all the same, in any place and under any name.
// What is printed of a file therefore holds none of them: they are recognised by the name that they stand under, and
// by what they look like. A harmless text that looks like a secret is masked too; its place is printed beside it.

// masked stands for a secret.
const masked = "…"

// secretNames are names that secrets stand under, or parts of such names. No option of the configuration matches.
const secretNames = `secret|pass[ _-]?(?:w|phrase)|\bpass\b|[_-]pass\b|\bpass[_-]|` +
	`\b(?:pw|pwd|pin|sk|salt)\b|_(?:pw|pwd|pin|sk|salt)\b|pwd|` +
	`hmac|token|private[\w-]*key|credential|bearer|authorization|` +
	`(?:api|access|grant|signing|encryption|customer|account|shared|master)[_-]?key`

var secretName = regexp.MustCompile(`(?i)` + secretNames)

// A line on which a secret's name comes before a value: all that follows the name is masked.
var namedSecret = regexp.MustCompile(`((?i:` + secretNames + `)[\w-]*["'\])]*\s*(?:[:=]|!=)=?\s*)(\S.*)`)

// userinfo is what stands before the host in a value that is a URL, or one without its scheme, whatever is in it: a
// password may have any character.
var userinfo = regexp.MustCompile(`(?s)^\s*(?:(?:[A-Za-z][\w+.-]*:)?//(.*)|([^\s:/@"'()]*:[^\s:/@].*))@`)

// secretForms are what secrets look like, whose whole match is masked, or its only group.
var secretForms = []*regexp.Regexp{
	regexp.MustCompile(`(?s)-----BEGIN.*?(?:-----END[^-]*-----|\z)`),
	regexp.MustCompile(`//([^\s"'<>]*)@`),
	regexp.MustCompile(`://[^\s"'<>]*?[?&#][^\s"'<>=]*=([^\s"'<>]*)`),
	regexp.MustCompile(`[?&][\w-]*=([^\s"'<>]*)`),
	regexp.MustCompile(`(?i)\b(?:bearer|basic|digest|aws4-hmac-sha256)\s+([^\s"',}\]]+)`),
	regexp.MustCompile(`whsec_[^\s"',}\]]*`),
	regexp.MustCompile(`eyJ[\w-]+(?:\.[\w-]*)*`),
	regexp.MustCompile(`\b(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-|[sprk]k_(?:live|test)_|hv[sb]\.|AGE-SECRET-KEY-|npm_|AIza|SG\.)[\w.-]+`),
}

// word is a run of the characters that encoded secrets are of.
var word = regexp.MustCompile(`[A-Za-z0-9+/=_~-]{16,}`)

// looksRandom reports whether a word is more likely made by a machine than written by a person.
func looksRandom(s string) bool {
	const long, changes = 32, 6
	run, longest, turns, hex, last := 0, 0, 0, 0, rune(0)
	for i, r := range s {
		class := rune(0)
		switch {
		case r >= '0' && r <= '9':
			class = '0'
		case unicode.IsUpper(r):
			class = 'A'
		case unicode.IsLower(r):
			class = 'a'
		}
		if class == 0 {
			run = 0
		} else if run++; last != 0 && class != last && !(last == 'A' && class == 'a' && run == 2) {
			turns++
		}
		if strings.ContainsRune("0123456789abcdefABCDEF", r) {
			hex++
		} else if r != '-' {
			hex = -len(s) + i
		}
		last, longest = class, max(longest, run)
	}
	return longest >= long || hex >= long || turns >= 3 && turns*changes >= len(s)
}

// forms are where a text looks like a secret, each from a byte to another.
func forms(text string) (all [][2]int) {
	for _, form := range secretForms {
		for _, m := range form.FindAllStringSubmatchIndex(text, -1) {
			all = append(all, [2]int{m[len(m)-2], m[len(m)-1]})
		}
	}
	for _, m := range word.FindAllStringIndex(text, -1) {
		if looksRandom(text[m[0]:m[1]]) {
			all = append(all, [2]int{m[0], m[1]})
		}
	}
	return all
}

// namedValue is a value as it begins what follows a secret's name.
var namedValue = regexp.MustCompile(`^(?:"[^"]*|'[^']*|[^,}\]]+)`)

// piece is how much of a secret may be printed at most: a parser's message can hold a part of one that no longer looks
// like a secret.
const piece = 6

// secrets are those of one file, by all their pieces.
type secrets struct{ pieces map[string]bool }

// maxPieces bounds what is kept of a file that is made of secrets.
const maxPieces = 1 << 20

// learn takes what looks like a secret in a text.
func (s *secrets) learn(text string) {
	for _, at := range forms(text) {
		s.add(text[at[0]:at[1]])
	}
	for _, m := range namedSecret.FindAllStringSubmatch(text, -1) {
		s.add(strings.Trim(namedValue.FindString(m[2]), `"' `))
	}
}

// add takes a secret.
func (s *secrets) add(text string) {
	if s.pieces == nil {
		s.pieces = map[string]bool{}
	}
	text = lowerASCII(text)
	for i := 0; i+piece <= len(text) && len(s.pieces) < maxPieces; i++ {
		s.pieces[text[i:i+piece]] = true
	}
}

// learnTree takes the secrets of a file's values, as YAML reads them, and those that stand under a secret's name.
func (s *secrets) learnTree(n *yaml.Node, named bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		if s.learn(n.Value); named {
			s.add(n.Value)
		}
		if m := userinfo.FindStringSubmatch(n.Value); m != nil {
			s.add(m[1] + m[2])
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			s.learnTree(n.Content[i], false)
			s.learnTree(n.Content[i+1], secretName.MatchString(n.Content[i].Value))
		}
	case yaml.SequenceNode, yaml.DocumentNode:
		for _, item := range n.Content {
			s.learnTree(item, named)
		}
	}
}

// learnLines takes the secrets of a file that may not be YAML, also where a secret's name stands on a line of its own,
// above a value that is indented further.
func (s *secrets) learnLines(text string, lines []string) {
	s.learn(text)
	for i, line := range lines {
		key, _, ok := strings.Cut(line, ":")
		if !ok || strings.Contains(key, "#") || !secretName.MatchString(key) {
			continue
		}
		for _, below := range lines[i+1:] {
			if strings.TrimSpace(below) != "" && indent(below) <= indent(line) || strings.Contains(below+" ", ": ") {
				break
			}
			s.add(strings.TrimSpace(below))
			if len(s.pieces) >= maxPieces {
				return
			}
		}
	}
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t-")) }

// lowerASCII is strings.ToLower, by which no byte changes its place.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// mask gives a text without secrets.
func (s *secrets) mask(text string) string {
	without, _ := s.maskAt(text, 0)
	return without
}

// maskAt is mask, and gives the place of a byte of the text in what it gives.
func (s *secrets) maskAt(text string, at int) (without string, place int) {
	hidden := make([]bool, len(text))
	hide := func(from, to int) {
		for i := from; i < to; i++ {
			hidden[i] = true
		}
	}
	for _, at := range forms(text) {
		hide(at[0], at[1])
	}
	for _, m := range namedSecret.FindAllStringSubmatchIndex(text, -1) {
		hide(m[4], m[5]) // to the line's end: how the value is quoted is not known
	}
	if lower := lowerASCII(text); len(s.pieces) > 0 {
		for i := 0; i+piece <= len(lower); i++ {
			if s.pieces[lower[i:i+piece]] {
				hide(i, i+piece)
			}
		}
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if i == at {
			place = b.Len()
		}
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(masked)
		}
	}
	if at >= len(text) {
		place = b.Len()
	}
	return b.String(), place
}

// Mask gives a text, such as an error that names a value of the configuration, without what looks like a secret.
func Mask(text string) string { return new(secrets).mask(text) }
