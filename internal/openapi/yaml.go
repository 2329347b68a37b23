package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what the aliases of a YAML document can grow to.
const maxNodes = 1_000_000

// ParseYAML reads a document in YAML. Comments are not kept.
func ParseYAML(data []byte) (*Object, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, err
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		return nil, errors.New("the document is empty")
	}
	reader := &yamlReader{left: maxNodes}
	value, err := reader.value(root.Content[0], 0)
	if err != nil {
		return nil, err
	}
	document, ok := value.(*Object)
	if !ok {
		return nil, errors.New("the document is no mapping")
	}
	return document, nil
}

type yamlReader struct{ left int }

func (r *yamlReader) value(node *yaml.Node, depth int) (any, error) {
	if r.left--; depth > MaxDepth || r.left < 0 {
		return nil, errDepth
	}
	switch node.Kind {
	case yaml.AliasNode:
		return r.value(node.Alias, depth+1)
	case yaml.MappingNode:
		return r.mapping(node, depth)
	case yaml.SequenceNode:
		array := []any{}
		for _, element := range node.Content {
			value, err := r.value(element, depth+1)
			if err != nil {
				return nil, err
			}
			array = append(array, value)
		}
		return array, nil
	}
	return scalar(node)
}

func (r *yamlReader) mapping(node *yaml.Node, depth int) (any, error) {
	object := new(Object)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || object.Has(key.Value) {
			return nil, fmt.Errorf("line %d: a key is there twice, or is no plain text", key.Line)
		}
		value, err := r.value(node.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		object.Set(key.Value, value)
	}
	return object, nil
}

func scalar(node *yaml.Node) (any, error) {
	switch node.ShortTag() {
	case "!!int", "!!float":
		if json.Valid([]byte(node.Value)) {
			return json.Number(node.Value), nil
		}
		var number float64
		if err := node.Decode(&number); err != nil {
			return nil, err
		}
		text, err := json.Marshal(number)
		return json.Number(text), err
	case "!!bool":
		var truth bool
		err := node.Decode(&truth)
		return truth, err
	case "!!null":
		return nil, nil
	}
	return node.Value, nil
}

// WriteYAML returns a document as YAML.
func WriteYAML(document *Object) ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(yamlNode(document)); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}

func yamlNode(value any) *yaml.Node {
	switch value := value.(type) {
	case *Object:
		node := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range value.names {
			node.Content = append(node.Content, yamlNode(name), yamlNode(value.values[name]))
		}
		return node
	case []any:
		node := &yaml.Node{Kind: yaml.SequenceNode}
		for _, element := range value {
			node.Content = append(node.Content, yamlNode(element))
		}
		return node
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: value.String()}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(value)}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
}
