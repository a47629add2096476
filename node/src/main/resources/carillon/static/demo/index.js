import './demo.js';
