// Package sourcepos finds lines of a Caddyfile again by what is written in them.
// Caddy's adapter keeps no positions, so what is found wrong in the JSON has to
// be looked up in the text.
package sourcepos

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Line is what is looked for: a line that begins with one of the names, for
// the more of the words the better.
type Line struct {
	Names []string
	Words []string
}

// Query is a place in a Caddyfile: in the sites of some hosts, or anywhere, a
// line in the block of another line, and so on.
type Query struct {
	Hosts []string
	Lines []Line
}

// Text is a Caddyfile, with what it imports.
type Text struct{ blocks []*node }

// node is a line and the block that begins on it.
type node struct {
	words    []string
	file     string
	line     int
	parent   *node
	children []*node
}

// Parse reads a Caddyfile.
func Parse(file string, content []byte) (*Text, error) {
	blocks, err := caddyfile.Parse(file, content)
	if err != nil {
		return nil, err
	}
	return Blocks(blocks), nil
}

// Blocks makes a text of the blocks of a Caddyfile that was read.
func Blocks(blocks []caddyfile.ServerBlock) *Text {
	text := new(Text)
	for _, block := range blocks {
		root := &node{}
		for _, key := range block.Keys {
			root.words = append(root.words, key.Text)
			root.file, root.line = key.File, key.Line
		}
		for _, segment := range block.Segments {
			root.addLines(segment)
		}
		text.blocks = append(text.blocks, root)
	}
	return text
}

// addLines adds the lines of a segment, which is one line and its block.
func (n *node) addLines(tokens []caddyfile.Token) {
	open := []*node{n}
	var current *node
	for i, token := range tokens {
		begins := i == 0 || token.Line != tokens[i-1].Line || token.File != tokens[i-1].File
		switch {
		case token.Text == "}" && begins:
			if len(open) > 1 {
				open = open[:len(open)-1]
			}
			current = nil
		case token.Text == "{" && current != nil && endsLine(tokens, i):
			open = append(open, current)
		case begins || current == nil:
			current = &node{words: []string{token.Text}, file: token.File, line: token.Line}
			parent := open[len(open)-1]
			current.parent = parent
			parent.children = append(parent.children, current)
		default:
			current.words = append(current.words, token.Text)
		}
	}
}

func endsLine(tokens []caddyfile.Token, i int) bool {
	return i+1 == len(tokens) || tokens[i+1].Line != tokens[i].Line || tokens[i+1].File != tokens[i].File
}

// Find returns the positions that fit a query best, as file:line. More than one
// means that nothing written there tells them apart.
func (t *Text) Find(query Query) []string {
	found := t.find(query, query.Hosts)
	if len(found) == 0 {
		found = t.find(query, nil)
	}
	return found
}

func (t *Text) find(query Query, hosts []string) []string {
	var candidates []*node
	for _, block := range t.blocks {
		if len(hosts) == 0 || block.isFor(hosts) {
			candidates = append(candidates, block)
		}
	}
	for _, line := range query.Lines {
		candidates = best(candidates, line)
	}
	var found []string
	for _, candidate := range candidates {
		position := fmt.Sprintf("%s:%d", candidate.file, candidate.line)
		if candidate.file != "" && !slices.Contains(found, position) {
			found = append(found, position)
		}
	}
	return found
}

// isFor reports whether a block is a site of one of the hosts.
func (n *node) isFor(hosts []string) bool {
	return slices.ContainsFunc(n.words, func(key string) bool {
		key = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://"), ",")
		name, _, _ := strings.Cut(key, ":")
		return slices.Contains(hosts, strings.ToLower(name))
	})
}

// best returns the lines below the candidates that fit best.
func best(candidates []*node, line Line) []*node {
	var found []*node
	top := math.MinInt
	for _, candidate := range candidates {
		candidate.walk(func(below *node) {
			if !slices.Contains(line.Names, below.words[0]) {
				return
			}
			switch score := below.score(line.Words) - below.foreign(line.Words); {
			case score > top:
				top, found = score, []*node{below}
			case score == top:
				found = append(found, below)
			}
		})
	}
	return found
}

func (n *node) walk(visit func(*node)) {
	for _, child := range n.children {
		visit(child)
		child.walk(visit)
	}
}

// score is how many of the words stand on a line, in its block, or on a line
// around it. One counts more than all that speaks against a line.
func (n *node) score(words []string) int {
	score := 0
	for _, word := range words {
		if n.has(word) || n.inside(word) {
			score += 100
		}
	}
	return score
}

// has reports whether a word stands on a line or in its block.
func (n *node) has(word string) bool {
	return n.names(word) || slices.ContainsFunc(n.children, func(child *node) bool { return child.has(word) })
}

// inside reports whether a word stands on a line around this one, which the
// addresses of a site are not.
func (n *node) inside(word string) bool {
	return n.isNested() && (n.parent.names(word) || n.parent.inside(word))
}

func (n *node) isNested() bool { return n.parent != nil && n.parent.parent != nil }

// names reports whether a word stands on a line itself, or in the named matcher
// that stands there.
func (n *node) names(word string) bool {
	return slices.Contains(n.words, word) || slices.ContainsFunc(n.words, func(own string) bool {
		matcher := n.matcher(own)
		return matcher != nil && slices.Contains(matcher.all(), word)
	})
}

// all are the words of a line and its block.
func (n *node) all() []string {
	words := slices.Clone(n.words)
	for _, child := range n.children {
		words = append(words, child.all()...)
	}
	return words
}

// matcher returns the line that defines a named matcher, nil if there is none.
func (n *node) matcher(name string) *node {
	if !strings.HasPrefix(name, "@") || n.words[0] == name {
		return nil
	}
	for around := n.parent; around != nil; around = around.parent {
		for _, line := range around.children {
			if line.words[0] == name {
				return line
			}
		}
	}
	return nil
}

// foreign counts what stands on the lines around this one and has nothing to do
// with the words.
func (n *node) foreign(words []string) int {
	count := 0
	for around := n; around.isNested(); {
		around = around.parent
		for i, own := range around.words {
			apart := i > 0 || own == "handle_errors"
			if apart && !slices.ContainsFunc(words, func(word string) bool { return own == word || around.names(word) }) {
				count++
			}
		}
	}
	return count
}
