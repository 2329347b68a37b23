package openapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/openapi"
	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// copies are the files that this process reads in place of documents at URLs. It is nil
// in a server, which fetches them.
var copies map[string]string

// StayOffline has policies read copies of documents at URLs for the rest of the process.
// A policy without a copy is an error.
func StayOffline() {
	if copies == nil {
		copies = make(map[string]string)
	}
}

// UseCopies calls [StayOffline] and names the copies, by the values of the flag
// `--openapi`, such as `https://…=openapi.json`.
func UseCopies(values []string) error {
	StayOffline()
	for _, value := range values {
		at := strings.LastIndexByte(value, '=')
		if at < 0 || at == len(value)-1 || !strings.Contains(value[:at], "://") {
			return fmt.Errorf("invalid --openapi %q: write <URL>=<file>, with the URL as the configuration has it", value)
		}
		copies[value[:at]] = value[at+1:]
	}
	return nil
}

// readCopy returns the copy of a document at a URL.
func (p *Policy) readCopy() ([]byte, error) {
	path, found := copies[p.Document]
	if !found {
		return nil, fmt.Errorf("the OpenAPI document %s is not fetched: save a copy, and write --openapi %[1]s=<file>", p.Document)
	}
	return textfile.ReadArgument(path)
}

// source says how to read the document.
func (p *Policy) source() (source openapi.Source, err error) {
	source = openapi.Source{BasePaths: p.BasePaths, All: p.Alternatives == alternativesAll}
	if p.isRemote() {
		source.URL, err = url.Parse(p.Document) // Check has read it before
	}
	return source, err
}

// Operation is an operation of a document. HEAD goes with GET unless it is an operation
// of its own.
type Operation struct {
	Methods []string
	Path    string
}

// Public reads the document, or its copy, and returns the operations that pass requests
// without a credential at a gate that requires nothing else.
func (p *Policy) Public() (public []Operation, err error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	read := func() ([]byte, error) { return textfile.ReadArgument(p.Document) }
	if p.isRemote() {
		read = p.readCopy
	}
	content, err := read()
	if err != nil {
		return nil, err
	}
	source, err := p.source()
	if err != nil {
		return nil, err
	}
	document, err := openapi.ParseAny(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Document, err)
	}
	api, err := source.Read(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Document, err)
	}
	heads := make(map[string]bool)
	for _, one := range api.Operations {
		heads[one.Path] = heads[one.Path] || one.Method == http.MethodHead
	}
	for _, one := range api.Operations {
		free := func(c openapi.Combination) bool { return len(c) == 0 }
		if len(one.Alternatives) > 0 && !slices.ContainsFunc(one.Alternatives, free) {
			continue
		}
		operation := Operation{Methods: []string{one.Method}, Path: one.Path}
		if one.Method == http.MethodGet && !heads[one.Path] {
			operation.Methods = append(operation.Methods, http.MethodHead)
		}
		public = append(public, operation)
	}
	return public, nil
}
