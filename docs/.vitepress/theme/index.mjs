// VitePress' own theme without the fonts that it brings, and with what style.css says.
import Theme from 'vitepress/theme-without-fonts'
import './style.css'

export default Theme
