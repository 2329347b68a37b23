// Package sourcepos finds lines of a Caddyfile by their text. Caddy's adapter keeps no
// positions, so a finding in the JSON must be searched in the text.
package sourcepos

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Line describes a line: it begins with one of the names, and has as many of the words
// as possible.
type Line struct {
	Names []string
	Words []string
}

// Query is a position in a Caddyfile: the sites of some hosts, or any site, and then
// nested lines.
type Query struct {
	Hosts []string
	Lines []Line
}

// Text is a Caddyfile with its imports.
type Text struct{ blocks []*Node }

// Node is a line with its block. The addresses of a site are a line with a block, too.
type Node struct {
	// Words are those of the line, without quotes.
	Words []string
	File  string
	// Line and Last are the first and the last line, from 1 on.
	Line, Last int
	Parent     *Node
	Children   []*Node
}

// Tree returns the lines of a Caddyfile below a node without words. Imports and
// environment variables stay as written.
func Tree(tokens []caddyfile.Token) *Node {
	root := new(Node)
	root.addLines(tokens)
	return root
}

// Walk calls a function with each line below the node, from top to bottom.
func (n *Node) Walk(call func(*Node)) {
	for _, child := range n.Children {
		call(child)
		child.Walk(call)
	}
}

// Parse reads a Caddyfile.
func Parse(file string, content []byte) (*Text, error) {
	blocks, err := caddyfile.Parse(file, content)
	if err != nil {
		return nil, err
	}
	return Blocks(blocks), nil
}

// Blocks returns a text for the parsed blocks of a Caddyfile.
func Blocks(blocks []caddyfile.ServerBlock) *Text {
	text := new(Text)
	for _, block := range blocks {
		root := &Node{}
		for _, key := range block.Keys {
			root.Words = append(root.Words, key.Text)
			root.File, root.Line = key.File, key.Line
		}
		for _, segment := range block.Segments {
			root.addLines(segment)
		}
		text.blocks = append(text.blocks, root)
	}
	return text
}

// addLines adds the lines of a segment, which is one line and its block.
func (n *Node) addLines(tokens []caddyfile.Token) {
	open := []*Node{n}
	var current *Node
	for i, token := range tokens {
		begins := i == 0 || token.Line != tokens[i-1].Line || token.File != tokens[i-1].File
		switch {
		case token.Text == "}" && begins && !token.Quoted():
			if len(open) > 1 {
				open[len(open)-1].Last = token.Line
				open = open[:len(open)-1]
			}
			current = nil
		case token.Text == "{" && !token.Quoted() && current != nil && endsLine(tokens, i):
			open = append(open, current)
		case begins || current == nil:
			parent := open[len(open)-1]
			current = &Node{Words: []string{token.Text}, File: token.File, Line: token.Line, Parent: parent}
			parent.Children = append(parent.Children, current)
		default:
			current.Words = append(current.Words, token.Text)
		}
		if current != nil {
			current.Last = token.Line + token.NumLineBreaks()
		}
	}
}

func endsLine(tokens []caddyfile.Token, i int) bool {
	return i+1 == len(tokens) || tokens[i+1].Line != tokens[i].Line || tokens[i+1].File != tokens[i].File
}

// Find returns the positions that match a query best, as file:line. Several positions
// match equally.
func (t *Text) Find(query Query) []string {
	found := t.find(query, query.Hosts)
	if len(found) == 0 {
		found = t.find(query, nil)
	}
	return found
}

func (t *Text) find(query Query, hosts []string) []string {
	var candidates []*Node
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
		position := fmt.Sprintf("%s:%d", candidate.File, candidate.Line)
		if candidate.File != "" && !slices.Contains(found, position) {
			found = append(found, position)
		}
	}
	return found
}

// isFor reports whether a block is a site of one of the hosts.
func (n *Node) isFor(hosts []string) bool {
	return slices.ContainsFunc(n.Words, func(key string) bool {
		key = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://"), ",")
		name, _, _ := strings.Cut(key, ":")
		return slices.Contains(hosts, strings.ToLower(name))
	})
}

// best returns the lines below the candidates that match best.
func best(candidates []*Node, line Line) []*Node {
	var found []*Node
	top := math.MinInt
	for _, candidate := range candidates {
		candidate.Walk(func(below *Node) {
			if !slices.Contains(line.Names, below.Words[0]) {
				return
			}
			switch score := below.score(line.Words) - below.countUnrelated(line.Words); {
			case score > top:
				top, found = score, []*Node{below}
			case score == top:
				found = append(found, below)
			}
		})
	}
	return found
}

// score counts the words on a line, in its block, or on a line around it. One word
// counts more than all unrelated words.
func (n *Node) score(words []string) int {
	score := 0
	for _, word := range words {
		if n.has(word) || n.inside(word) {
			score += 100
		}
	}
	return score
}

// has reports whether a line or its block has a word.
func (n *Node) has(word string) bool {
	return n.names(word) || slices.ContainsFunc(n.Children, func(child *Node) bool { return child.has(word) })
}

// inside reports whether a line around this one has a word, except for the addresses of
// a site.
func (n *Node) inside(word string) bool {
	return n.isNested() && (n.Parent.names(word) || n.Parent.inside(word))
}

func (n *Node) isNested() bool { return n.Parent != nil && n.Parent.Parent != nil }

// names reports whether a line has a word itself, or the named matcher of the line has
// it.
func (n *Node) names(word string) bool {
	return slices.Contains(n.Words, word) || slices.ContainsFunc(n.Words, func(own string) bool {
		matcher := n.matcher(own)
		return matcher != nil && slices.Contains(matcher.all(), word)
	})
}

// all returns the words of a line and its block.
func (n *Node) all() []string {
	words := slices.Clone(n.Words)
	for _, child := range n.Children {
		words = append(words, child.all()...)
	}
	return words
}

// matcher returns the line that defines a named matcher, or nil.
func (n *Node) matcher(name string) *Node {
	if !strings.HasPrefix(name, "@") || n.Words[0] == name {
		return nil
	}
	for around := n.Parent; around != nil; around = around.Parent {
		for _, line := range around.Children {
			if line.Words[0] == name {
				return line
			}
		}
	}
	return nil
}

// countUnrelated counts the words on the lines around this one that are not among the words.
func (n *Node) countUnrelated(words []string) int {
	count := 0
	for around := n; around.isNested(); {
		around = around.Parent
		for i, own := range around.Words {
			apart := i > 0 || own == "handle_errors"
			if apart && !slices.ContainsFunc(words, func(word string) bool { return own == word || around.names(word) }) {
				count++
			}
		}
	}
	return count
}
