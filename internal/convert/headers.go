package convert

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/internal/apikeyformat"
	"github.com/excorp/caddy-require-auth/internal/sourcepos"
)

// headerGates converts the named matchers of a block that compare a credential in a
// header field, where they decide who gets an answer:
//
//	@denied not header Authorization "Bearer secret"
//	respond @denied 401
//
// and a handle for the credential beside one that answers 401 or 403.
func (c *converter) headerGates(block *sourcepos.Node) {
	for _, matcher := range block.Children {
		if !strings.HasPrefix(matcher.Words[0], "@") {
			continue
		}
		if check, found := credentialCheck(matcher); found {
			c.headerGate(block, matcher, check)
		}
	}
}

// comparison is a matcher that compares a header field with a credential.
type comparison struct {
	field, value string
	denies       bool // the matcher is for requests without the credential
	line         *sourcepos.Node
	others       int // further conditions of the matcher
}

var credentialField = regexp.MustCompile(`(?i)^(authorization|(x-)?(api|auth|access)[-_]?(key|token)|x-[a-z-]*(key|token|secret))$`)

// credentialCheck reads a named matcher.
func credentialCheck(matcher *sourcepos.Node) (check comparison, found bool) {
	words := matcher.Words[1:]
	if len(words) > 0 {
		check, found = readComparison(words)
		check.line = matcher
		return check, found
	}
	others := 0
	for _, child := range matcher.Children {
		words := child.Words
		if len(words) == 1 && words[0] == "not" && len(child.Children) == 1 {
			words = append(slices.Clone(words), child.Children[0].Words...)
		}
		one, is := readComparison(words)
		switch {
		case is && !found:
			check, found = one, true
			check.line = child
		default:
			others++
		}
	}
	check.others = others
	return check, found
}

func readComparison(words []string) (check comparison, found bool) {
	if words[0] == "not" {
		check.denies, words = true, words[1:]
	}
	if len(words) != 3 || words[0] != "header" || !credentialField.MatchString(words[1]) {
		return comparison{}, false
	}
	check.field, check.value = words[1], words[2]
	return check, true
}

func (c *converter) headerGate(block, matcher *sourcepos.Node, check comparison) {
	name := matcher.Words[0]
	uses := usesOf(block, matcher)
	fallback := -1 // the line that denies
	decides := len(uses) == 1
	if decides && check.denies {
		decides = denies(uses[0])
	} else if decides {
		fallback = soleFallback(block, uses[0])
		decides = fallback >= 0 && check.others == 0
	}
	if !decides {
		c.keep(matcher, "%s compares a credential; write a require_auth with an api_key where it decides", name)
		return
	}
	value, unset := c.environment(check.value)
	if unset != "" {
		c.keep(matcher, "%s has a credential of the variable %s, which is not set here: set it and convert again", name, unset)
		return
	}
	scheme, reason := schemeFor(check.field, value)
	if reason != "" {
		c.keep(matcher, "%s: %s", name, reason)
		return
	}
	if check.denies {
		gated, removed := "", matcher
		if check.others > 0 {
			gated, removed = name, check.line
		}
		c.replace(removed, nil)
		if slices.ContainsFunc(block.Children, func(n *sourcepos.Node) bool {
			return n.Words[0] == "handle" || n.Words[0] == "handle_path" || n.Words[0] == "route"
		}) {
			scheme = append([]string{c.note(uses[0], "the gate is also for handle and route blocks beside it, which came first before")}, scheme...)
		}
		c.gate(uses[0], gated, scheme...)
		return
	}
	c.replace(matcher, nil)
	c.gates++
	c.edits = append(c.edits, edit{uses[0].Line, uses[0].Line, append([]string{"handle {"}, gateLines("", scheme)...)})
	c.replace(block.Children[fallback], nil)
}

// usesOf returns the lines that use a named matcher.
func usesOf(block, matcher *sourcepos.Node) []*sourcepos.Node {
	var uses []*sourcepos.Node
	block.Walk(func(n *sourcepos.Node) {
		if n != matcher && slices.Contains(n.Words, matcher.Words[0]) {
			uses = append(uses, n)
		}
	})
	return uses
}

var clientError = regexp.MustCompile(`^4\d\d$`)

// denies reports whether a line answers 4xx and nothing else.
func denies(n *sourcepos.Node) bool {
	switch n.Words[0] {
	case "abort":
		return true
	case "respond", "error":
		return len(n.Children) == 0 && clientError.MatchString(n.Words[len(n.Words)-1])
	default:
		return false
	}
}

// soleFallback returns the index of the line that denies what a handle does not take, or
// -1 where other handles could take it.
func soleFallback(block, handle *sourcepos.Node) int {
	fallback := -1
	if handle.Parent != block || handle.Words[0] != "handle" || len(handle.Words) != 2 {
		return fallback
	}
	for i, line := range block.Children {
		switch {
		case line == handle || line.Words[0] != "handle" && line.Words[0] != "respond" && line.Words[0] != "error" && line.Words[0] != "abort":
			continue
		case len(line.Words) > 1 && line.Words[0] == "handle":
			if !strings.HasPrefix(line.Words[1], "/") { // those with a path come first in both files
				return -1
			}
			continue
		case line.Words[0] == "handle" && (len(line.Children) != 1 || !denies(line.Children[0])), line.Words[0] != "handle" && !denies(line):
			return -1
		case fallback >= 0:
			return -1
		}
		fallback = i
	}
	return fallback
}

var variable = regexp.MustCompile(`\{(\$|env\.)[^}]+\}`)

// environment replaces variables of the environment in a credential. It returns the
// name of one that is not set.
func (c *converter) environment(value string) (replaced, unset string) {
	replaced = variable.ReplaceAllStringFunc(value, func(written string) string {
		name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(written, "{$"), "{env."), "}")
		name, fallback, _ := strings.Cut(name, ":")
		found := c.Getenv(name)
		if found == "" {
			found = fallback
		}
		if found == "" {
			unset = name
		}
		return found
	})
	return replaced, unset
}

// schemeFor returns the scheme that accepts a credential in a field, or the reason
// without one.
func schemeFor(field, value string) (lines []string, reason string) {
	if value == "" || strings.ContainsAny(value, "*{}") {
		return nil, "the value is a pattern: a gate needs the whole credential"
	}
	if !strings.EqualFold(field, "Authorization") {
		return []string{"api_key {", quoteAll("from", "header", field), "key client " + apikeyformat.Digest(value), "}"}, ""
	}
	scheme, credential, both := strings.Cut(value, " ")
	switch {
	case !both || credential == "":
		return nil, "the credential has no scheme such as Bearer before it, which Authorization needs"
	case !strings.EqualFold(scheme, "Basic"):
		return []string{"api_key {", quoteAll("from", "authorization", scheme), "key client " + apikeyformat.Digest(credential), "}"}, ""
	}
	decoded, err := base64.StdEncoding.DecodeString(credential)
	user, password, both := strings.Cut(string(decoded), ":")
	if err != nil || !both {
		return nil, "invalid credential of Basic: it must be the base64 of name:password"
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost+4) // as `caddy hash-password` does
	if err != nil {
		return nil, "the password cannot be hashed: " + err.Error()
	}
	return []string{"basic {", quoteAll("user", user, string(hash)), "}"}, ""
}
