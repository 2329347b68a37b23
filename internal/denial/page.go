package denial

import (
	"bytes"
	"html/template"
	"net/http"
)

// pageTemplate needs nothing from elsewhere: no script, no font, no picture.
var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Status}} {{.Title}}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto 0; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; }
small { opacity: .7; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
<p>{{.Detail}}.</p>
{{- range .Required}}
<p>Required {{.Kind}}: {{range $i, $name := .Names}}{{if $i}}, {{end}}<code>{{$name}}</code>{{end}}</p>
{{- end}}
{{- if .LoginURL}}
<p><a href="{{.LoginURL}}">Sign in</a></p>
{{- end}}
<p><small>Status {{.Status}} · Trace id {{.TraceID}}</small></p>
</body>
</html>
`))

// page is the body for people in front of a browser.
func page(d Denial) ([]byte, error) {
	login := d.LoginURL
	if d.Status() != http.StatusUnauthorized {
		login = "" // they are signed in, or signing in does not help
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Status                           int
		Title, Detail, TraceID, LoginURL string
		Required                         []requirement
	}{d.Status(), http.StatusText(d.Status()), d.Code.Detail(), d.TraceID, login, d.required()})
	return b.Bytes(), err
}
