# Completion of ztctl for elvish:
#   eval (ztctl completions elvish | slurp)

use str

set edit:completion:arg-completer[ztctl] = {|@words|
  var index = (to-string (- (count $words) 1))
  try {
    ztctl complete --index $index -- $@words 2>/dev/null | from-lines | each {|line|
      var parts = [(str:split &max=2 "\t" $line)]
      var value = $parts[0]
      var display = $value
      if (> (count $parts) 1) {
        set display = $value'  '$parts[1]
      }
      var suffix = ' '
      if (or (str:has-suffix $value '/') (str:has-suffix $value ':') (str:has-suffix $value '=')) {
        set suffix = ''
      }
      edit:complex-candidate $value &display=$display &code-suffix=$suffix
    }
  } catch {
  }
}
