package config

import (
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// What a file may have, so that reading it ends soon whatever it holds. Each is far above what installations need.
const (
	maxSize     = 1 << 20 // bytes of the configuration, and of each file that it names
	maxDepth    = 32      // mappings and lists within each other
	maxValues   = 200_000 // names and values, with each alias and each destination's defaults written out
	maxReported = 100     // mistakes, and as many warnings
	maxText     = 800     // bytes of a mistake's text
	maxExcerpt  = 100     // characters of a line on each side of the column
)

// ReadFile is os.ReadFile for the configuration and the files that it names: at most 1 MiB.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s is larger than 1 MiB, which is the most that is read", name)
	}
	return data, nil
}

func (d *document) tooLarge() {
	d.data, d.lines = nil, nil // nothing of it is shown
	d.mistakeAt(1, 1, "the file is larger than 1 MiB; write a smaller one, with defaults for what destinations have in common")
}

// bounded reports whether a file is within the limits of depth and size, its aliases written out.
func (d *document) bounded(root *yaml.Node) bool {
	sizes := map[*yaml.Node]int{} // of what aliases stand for; 0 while it is counted
	var worst *yaml.Node
	var count func(n *yaml.Node, depth int) int
	count = func(n *yaml.Node, depth int) int {
		if worst != nil {
			return 0
		}
		if depth > maxDepth {
			worst = n
			d.mistake(n, "mappings and lists stand in each other more than %d deep; no option is so deep: look for a bracket or an indentation too much", maxDepth)
			return 0
		}
		if n.Kind == yaml.AliasNode {
			size, known := sizes[n.Alias]
			if known && size == 0 {
				worst = n
				d.mistake(n, "the alias %s stands within what it stands for; write the value out", n.Value)
			}
			return size
		}
		if n.Anchor != "" {
			sizes[n] = 0
		}
		size := 1
		for _, item := range n.Content {
			size += count(item, depth+1)
		}
		size = min(size, maxValues+1)
		if n.Anchor != "" {
			sizes[n] = size
		}
		return size
	}
	total := count(root, 1)
	if worst != nil {
		return false
	}
	if total += inherited(root, sizes, count); total > maxValues {
		d.mistake(root, "the file has more than %d values, with each alias and each destination's defaults written out; make it smaller, or divide it between servers", maxValues)
		return false
	}
	return true
}

// inherited is what the destinations' defaults come to, written out for each.
func inherited(root *yaml.Node, sizes map[*yaml.Node]int, count func(*yaml.Node, int) int) int {
	if root.Kind != yaml.MappingNode {
		return 0
	}
	defaults, destinations := 0, 0
	for i := 0; i+1 < len(root.Content); i += 2 {
		value := root.Content[i+1]
		size := count(value, 1)
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		switch root.Content[i].Value {
		case "defaults":
			defaults += size
		case "destinations":
			destinations += len(value.Content) / 2
		}
	}
	return defaults * destinations
}
